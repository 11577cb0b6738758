/** @file Networks as ONNX files. */
export { exportedOperators, exportOnnx, type OnnxOptions, opset } from './export.ts';
