"""Every operation on torch tensors ``(N, C, H, W)``, under the names of the `array` backend.

A function here has two ways. The native one is made of torch operations: any device, any float
dtype, gradients, no waiting for the device. The other hands a view of the memory to the `array`
backend, which on a CPU is up to ten times faster; `views.is_viewed` says when.

float16 and bfloat16 are computed in float32, integers in float32 or wider.
"""
