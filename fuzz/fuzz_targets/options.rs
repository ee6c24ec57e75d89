#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sansocket_fuzz::options(data));

/// `cargo fuzz run options` makes this a program that does something.
#[cfg(not(fuzzing))]
fn main() {}
