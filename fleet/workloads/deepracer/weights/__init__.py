"""What a set's weights are: TensorFlow's checkpoints read without TensorFlow, and judged.

Only Python's own library is used: machines that train have fleet's agent, and no NumPy (decision 018).
"""
