"""MPLP (Zhang et al. 2023): a decoder that is asked what a speaker feels, in two stages."""
