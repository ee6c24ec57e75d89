//! sansocket
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod engineio;
mod error;
#[cfg(feature = "std")]
pub mod http;
pub mod time;
#[cfg(feature = "wire")]
pub mod wire;

#[cfg(feature = "wire")]
#[path = "../runtimes/mod.rs"]
pub mod runtime;

pub use error::{Error, Result, SendError};

#[cfg(feature = "tokio")]
pub use runtime::tokio;
