//! `asof-sim`: as many runs as are asked for.

use std::io::Write as _;
use std::process::ExitCode;

use asof_sim::{Tally, run};
use clap::Parser;

/// Simulates stores, edges, services and clients, and holds every answer against what is true
#[derive(Parser, Debug)]
#[command(after_help = "\
Examples:
  cargo run --release -p asof-sim -- --seeds 10000
  cargo run -p asof-sim -- --seed 4711")]
struct Args {
    /// How many runs
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only this one; says what happens in it if it fails
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seeds = match args.seed {
        Some(seed) => seed..=seed,
        None => args.from..=args.from.saturating_add(args.seeds.saturating_sub(1)),
    };
    let mut total = Tally::default();
    for seed in seeds {
        match run(seed, None) {
            Ok(tally) => {
                total.answered += tally.answered;
                total.refused += tally.refused;
                total.unjudged += tally.unjudged;
                total.executed += tally.executed;
            }
            Err(wrong) => {
                say(&format!(
                    "seed {seed}:\n{wrong}\nreplay: cargo run -p asof-sim -- --seed {seed}"
                ));
                return ExitCode::FAILURE;
            }
        }
    }
    say(&format!("{total:?}"));
    ExitCode::SUCCESS
}

fn say(text: &str) {
    // Where nobody reads on, there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{text}");
}
