"""Every operation on torch tensors ``(N, C, H, W)``, under the names of the `array` backend.

A function has two routes. The native one runs torch operations: any device, any float dtype,
gradients, no waiting for the device. The other gives a view of the memory to the `array` backend,
which on a CPU is up to ten times faster; `numpy_view.is_viewed` decides.

float16 and bfloat16 are computed in float32, integers in float32 or wider.
"""
