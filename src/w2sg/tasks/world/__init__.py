"""tasks/world"""
