"""Networks as ONNX models, read and written without the onnx package: what runs on host and target alike."""
