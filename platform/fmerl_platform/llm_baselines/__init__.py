"""Language models as baselines: asked for the emotion of each test utterance over an OpenAI-compatible endpoint."""
