"""After a study: bundles of its models, and predictions of conversations by them."""
