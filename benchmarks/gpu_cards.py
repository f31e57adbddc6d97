"""GPUs as XLA's compiler has to know them, so that it compiles for one that is not there.

The figures are NVIDIA's, from data sheets and from the table of compute capabilities in the CUDA
programming guide.
"""

from __future__ import annotations

from dataclasses import dataclass

_CUDA = "12.9.0"
_CUDNN = (9, 10, 0)


@dataclass(frozen=True)
class Card:
    """One model of GPU.

    Attributes:
      name: what the driver calls it.
      capability: the compute capability, major and minor.
      multiprocessors: how many it has.
      gigahertz: the boost clock.
      memory: bytes.
      bandwidth: of the memory, in bytes a second.
      l2: bytes of the second-level cache.
      shared_of_multiprocessor: bytes of shared memory.
      shared_of_block: the most of it that one block may ask for.
      threads_of_multiprocessor: the most that are resident.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    gigahertz: float
    memory: int
    bandwidth: float
    l2: int
    shared_of_multiprocessor: int
    shared_of_block: int
    threads_of_multiprocessor: int = 2048

    def target_config(self) -> str:
        """The card as XLA's `GpuTargetConfigProto`, in text."""
        major, minor = self.capability
        cudnn = ".".join(map(str, _CUDNN))
        return f"""
gpu_device_info {{
  name: "{self.name}"
  device_vendor: "NVIDIA Corporation"
  cuda_compute_capability {{ major: {major} minor: {minor} }}
  core_count: {self.multiprocessors}
  fpus_per_core: 128
  clock_rate_ghz: {self.gigahertz}
  device_memory_size: {self.memory}
  memory_bandwidth: {self.bandwidth:.0f}
  l2_cache_size: {self.l2}
  shared_memory_per_block: {48 * 1024}
  shared_memory_per_core: {self.shared_of_multiprocessor}
  shared_memory_per_block_optin: {self.shared_of_block}
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: {self.threads_of_multiprocessor}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  block_dim_limit_x: {2**31 - 1}
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  thread_dim_limit_x: 1024
  thread_dim_limit_y: 1024
  thread_dim_limit_z: 64
  device_address_bits: 64
  ecc_enabled: true
  driver_version: "{_CUDA}"
  runtime_version: "{_CUDA}"
  compile_time_toolkit_version: "{_CUDA}"
  dnn_version: "{cudnn}"
}}
platform_name: "CUDA"
dnn_version_info {{ major: {_CUDNN[0]} minor: {_CUDNN[1]} patch: {_CUDNN[2]} }}
device_description_str: "{self.name}"
"""


_KIB, _MIB, _GIB = 2**10, 2**20, 2**30
CARDS = {
    "h100": Card(
        "NVIDIA H100 80GB HBM3",
        (9, 0),
        multiprocessors=132,
        gigahertz=1.98,
        memory=80 * _GIB,
        bandwidth=3.35e12,
        l2=50 * _MIB,
        shared_of_multiprocessor=228 * _KIB,
        shared_of_block=227 * _KIB,
    ),
    "h200": Card(
        "NVIDIA H200",
        (9, 0),
        multiprocessors=132,
        gigahertz=1.98,
        memory=141 * 10**9,
        bandwidth=4.8e12,
        l2=50 * _MIB,
        shared_of_multiprocessor=228 * _KIB,
        shared_of_block=227 * _KIB,
    ),
    "a100": Card(
        "NVIDIA A100-SXM4-80GB",
        (8, 0),
        multiprocessors=108,
        gigahertz=1.41,
        memory=80 * _GIB,
        bandwidth=2.039e12,
        l2=40 * _MIB,
        shared_of_multiprocessor=164 * _KIB,
        shared_of_block=163 * _KIB,
    ),
    "l4": Card(
        "NVIDIA L4",
        (8, 9),
        multiprocessors=58,
        gigahertz=2.04,
        memory=24 * _GIB,
        bandwidth=300e9,
        l2=48 * _MIB,
        shared_of_multiprocessor=100 * _KIB,
        shared_of_block=99 * _KIB,
        threads_of_multiprocessor=1536,
    ),
}
