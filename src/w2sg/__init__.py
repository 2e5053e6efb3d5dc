"""w2sg: train a strong language model from weak supervision, and measure honestly what was gained."""

__version__ = "0.1.0"
__all__ = ["__version__"]
