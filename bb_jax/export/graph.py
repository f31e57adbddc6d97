"""A graph of ONNX operations, written node by node.

Tensors are called by their names. Each method that adds nodes returns the name of the result.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The oldest version that has LayerNormalization, of 2022. Runtimes read all older versions.
OPSET = 17
IR_VERSION = 8


class Graph:
    """Collects nodes and constants.

    Attributes:
      nodes: the operations, in an order in which they can be computed.
      constants: weights and tables.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._taken: set[str] = set()

    def constant(self, name: str, values: Any) -> str:
        """Adds a constant.

        Args:
          name: what the file calls it; a number is appended where the name is taken.
          values: an array of float32 or int64, or numbers of Python, which become one of the two.
        """
        array = np.asarray(values)
        dtype = np.int64 if array.dtype.kind in "iu" else np.float32
        name = self._free(name)
        self.constants.append(numpy_helper.from_array(array.astype(dtype), name))
        return name

    def add(
        self, operation: str, *operands: str, result: str | None = None, **attributes: Any
    ) -> str:
        """Adds one operation.

        Args:
          operation: the ONNX operator.
          operands: names of its inputs.
          result: what the file calls its result; by default it is called by the operator.
          attributes: those of the operator.
        """
        result = self._free(result or operation.lower())
        self.nodes.append(helper.make_node(operation, operands, [result], **attributes))
        return result

    def dense(self, rows: str, name: str, kernel: np.ndarray, bias: np.ndarray | None) -> str:
        """Adds `rows @ kernel + bias`: [..., I], [I, O], [O] -> [..., O].

        Args:
          rows: the tensor's name.
          name: the layer's, for its weights.
          kernel: float32 [I, O].
          bias: float32 [O], or None.
        """
        product = self.add("MatMul", rows, self.constant(f"{name}/kernel", kernel))
        if bias is None:
            return product
        return self.add("Add", product, self.constant(f"{name}/bias", bias))

    def float(self, tensor: str) -> str:
        """Adds a conversion to float32."""
        return self.add("Cast", tensor, to=TensorProto.FLOAT)

    def _free(self, name: str) -> str:
        taken, number = name, 1
        while taken in self._taken:
            number += 1
            taken = f"{name}_{number}"
        self._taken.add(taken)
        return taken
