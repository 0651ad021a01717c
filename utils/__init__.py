"""What the two scripts stand on: data, backends, model file, training state."""
