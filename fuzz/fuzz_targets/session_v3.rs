#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sansocket_fuzz::session_v3(data));

/// `cargo fuzz run session_v3` makes this a program that does something.
#[cfg(not(fuzzing))]
fn main() {}
