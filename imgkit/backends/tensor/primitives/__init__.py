"""What several families of the tensor backend share."""
