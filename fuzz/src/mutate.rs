//! Runs fuzz targets on a stable toolchain: seeds, changed at random, without feedback from coverage.
//!
//!     mutate SECONDS SEED [TARGET…]
//!
//! The same seed gives the same inputs. An input that fails is written to `artifacts/`.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};
use torch2trt_fuzz::TARGETS;

/// Bytes that mean something in JSON, sizes and networks.
const SIGNS: &[u8] = b"0123456789-+*/(),.[]{}\":%\0\xff";

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or(0)
    }
}

/// One random change: a byte, a number, a part left out, doubled, or taken from another seed.
fn change(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let most = 1 << random.below(9);
    let length = random.below(most).min(input.len() - at);
    match random.below(7) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = SIGNS[random.below(SIGNS.len())],
        2 => drop(input.drain(at..at + length)),
        3 => {
            let part = input[at..at + length].to_vec();
            input.splice(at..at, part);
        }
        4 if !other.is_empty() => {
            let from = random.below(other.len());
            let part = other[from..(from + length.max(1)).min(other.len())].to_vec();
            input.splice(at..at + length, part);
        }
        5 => {
            let numbers = [0, 1, 2, u64::MAX, i64::MAX as u64, u64::from(u32::MAX), 1 << 31, 1 << 62];
            let number: u64 = numbers[random.below(numbers.len())];
            let text = number.to_string().into_bytes();
            let bytes = number.to_le_bytes().to_vec();
            input.splice(at..at + length.min(8), if random.below(2) == 0 { text } else { bytes });
        }
        _ => input.truncate(at.max(1)),
    }
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse().ok());
    let (seconds, seed) = (number(0).unwrap_or(60), number(1).unwrap_or(1));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut failed = false;
    for (name, target) in TARGETS {
        if arguments.len() > 2 && !arguments[2..].iter().any(|chosen| chosen == name) {
            continue;
        }
        let mut paths: Vec<_> =
            std::fs::read_dir(folder.join("seeds").join(name)).into_iter().flatten().flatten().collect();
        paths.sort_by_key(std::fs::DirEntry::path);
        let seeds: Vec<Vec<u8>> = paths.iter().filter_map(|entry| std::fs::read(entry.path()).ok()).collect();
        let (mut random, end, mut runs) = (Random(seed), Instant::now() + Duration::from_secs(seconds), 0_u64);
        while Instant::now() < end && !seeds.is_empty() {
            let mut input = seeds[random.below(seeds.len())].clone();
            let other = random.below(seeds.len());
            for _ in 0..=random.below(5) {
                change(&mut input, &seeds[other], &mut random);
            }
            runs += 1;
            if catch_unwind(|| target(&input)).is_err() {
                let artifact = folder.join("artifacts").join(name).join(format!("mutate-{seed}-{runs}"));
                let _ = std::fs::create_dir_all(folder.join("artifacts").join(name));
                let _ = std::fs::write(&artifact, &input);
                eprintln!("{name}: fails on {}", artifact.display());
                failed = true;
                break;
            }
        }
        println!("{name}: {runs} inputs from {} seeds", seeds.len());
    }
    if failed { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
}
