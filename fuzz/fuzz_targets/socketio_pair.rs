#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sansocket_fuzz::socketio_pair(data));

/// `cargo fuzz run socketio_pair` makes this a program that does something.
#[cfg(not(fuzzing))]
fn main() {}
