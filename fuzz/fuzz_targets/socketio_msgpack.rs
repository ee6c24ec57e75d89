#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sansocket_fuzz::socketio_msgpack(data));

/// `cargo fuzz run socketio_msgpack` makes this a program that does something.
#[cfg(not(fuzzing))]
fn main() {}
