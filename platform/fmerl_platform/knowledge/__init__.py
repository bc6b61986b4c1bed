"""Tables of knowledge: a language model's sentences about every utterance, encoded."""
