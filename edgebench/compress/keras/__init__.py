"""Steps that need Keras and TensorFlow: reading, training and exporting a model."""
