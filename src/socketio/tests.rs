//! Both machines against each other, and each against a peer that says anything: seeded lives, beside an account of what
//! must hold. The fuzzers run the same files.

mod alone;
mod pair;

use alloc::vec::Vec;

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Says which seed it was, so that its script can be run alone.
struct Named(u64);

impl Drop for Named {
    #[cfg(feature = "std")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("seed {}", self.0);
        }
    }

    #[cfg(not(feature = "std"))]
    fn drop(&mut self) {}
}

fn lives(count: u64, longest: u64, run: fn(&[u8])) {
    for seed in 0..count {
        let named = Named(seed);
        let mut rng = Rng(seed);
        let length = 2 + rng.next() % longest;
        let script: Vec<u8> = (0..length).map(|_| rng.next() as u8).collect();
        run(&script);
        drop(named);
    }
}

#[test]
fn both_machines_live_together() {
    lives(3000, 400, pair::run);
}

#[test]
fn a_server_with_any_client() {
    lives(3000, 300, alone::server);
}

#[test]
fn a_client_with_any_server() {
    lives(3000, 300, alone::client);
}
