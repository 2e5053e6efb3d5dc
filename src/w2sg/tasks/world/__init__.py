"""The embedded world: generated questions of known difficulty, and the corpus that the zoo was pretrained on."""
