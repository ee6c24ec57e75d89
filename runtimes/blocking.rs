//! Plain threads.
