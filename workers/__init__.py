"""The queue side: jobs of images in Redis, carried by RQ, solved by workers that keep a model warm."""
