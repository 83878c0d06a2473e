"""What several families of the array backend share."""
