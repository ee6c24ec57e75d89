//! What `sansocket serve --app socketio` does, packet by packet and over each transport: the rows of our notes on what the
//! others do, the cases of the protocol's own test suite, and what users of the others have lost time with.

mod acks;
mod binary;
mod connecting;
mod ending;
mod events;
mod handlers;
mod msgpack;
mod peer;
mod suite;
mod users;
mod violations;
