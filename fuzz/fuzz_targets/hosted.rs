#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sansocket_fuzz::hosted(data));

/// `cargo fuzz run hosted` makes this a program that does something.
#[cfg(not(fuzzing))]
fn main() {}
