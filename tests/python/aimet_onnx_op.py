"""The operator of aimet_onnx, run by ONNX Runtime on one array; None where they are not installed."""

try:
    import onnxruntime
    from aimet_onnx.common import libpymo, libquant_info
    from aimet_onnx.common.defs import QuantScheme, qtype
    from aimet_onnx.qc_quantize_op import OpMode, QcQuantizeOp
    from aimet_onnx.utils import numpy_to_TfEncoding, register_aimet_custom_ops
    from onnx import TensorProto, helper
except ImportError:
    quantize_dequantize = None
else:
    DOMAIN = "aimet.customop.cpu"

    def quantize_dequantize(x, scale, offset, bitwidth):
        """offset: of the unsigned grid."""
        op = QcQuantizeOp(
            libquant_info.QcQuantizeInfo(),
            QuantScheme.post_training_tf,
            op_mode=OpMode.quantizeDequantize,
            bitwidth=bitwidth,
            use_symmetric_encodings=False,
        )
        op.load_encodings(numpy_to_TfEncoding(scale, offset, qtype.int(bitwidth)))
        info = dict(op_name="x", quant_info=libpymo.PtrToInt64(op.quant_info))
        node = helper.make_node("QcQuantizeOp", ["x"], ["y"], name="q", domain=DOMAIN, **info)
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
        graph = helper.make_graph([node], "g", values[:1], values[1:])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
        model = helper.make_model(graph, ir_version=9, opset_imports=opsets)
        options = register_aimet_custom_ops(onnxruntime.SessionOptions())
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0]
