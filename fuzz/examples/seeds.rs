//! Writes the files that each corpus begins with.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    for (target, seeds) in sansocket_fuzz::seeds::all() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{index:02}")), seed)?;
        }
        println!("{target}: {} files", seeds.len());
    }
    Ok(())
}
