"""Prediction by a trained model, with Keras or ONNX Runtime."""
