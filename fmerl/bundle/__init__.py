"""Bundles: trained models in a folder of their own, with all that is needed to use them on new conversations."""
