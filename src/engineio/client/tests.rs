//! What a client does, step by step.
