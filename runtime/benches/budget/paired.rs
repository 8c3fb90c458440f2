//! Two ways to do the same work, in turns.

/// Prints the head of the table, with the names of the two.
pub fn header(floor: &str, ours: &str) {
    println!(
        "{:<50} {floor:>14} {ours:>14} {:>7} {:>15} {:>8}",
        "work", "ratio", "(min to max)", "budget"
    );
}

/// Runs both in turns, each returning how much it did in a second, and prints ours as a share of the floor.
pub fn compare(
    work: &str,
    budget: f64,
    rounds: usize,
    mut floor: impl FnMut() -> f64,
    mut ours: impl FnMut() -> f64,
) {
    // Once for the caches.
    floor();
    ours();
    let (mut floors, mut all, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // Who goes first changes, too.
        let (one, other) = if round % 2 == 0 {
            let one = floor();
            (one, ours())
        } else {
            let other = ours();
            (floor(), other)
        };
        floors.push(one);
        all.push(other);
        ratios.push(other / one);
    }
    let ratio = median(&mut ratios);
    println!(
        "{work:<50} {:>12}/s {:>12}/s {ratio:>7.2} {:>15} {budget:>8.2}{}",
        thousands(median(&mut floors)),
        thousands(median(&mut all)),
        format!("({:.2} to {:.2})", ratios[0], ratios[ratios.len() - 1]),
        if ratio < budget { "  MISSED" } else { "" },
    );
}

/// The middle one; leaves the values sorted.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn thousands(rate: f64) -> String {
    if rate < 10_000.0 {
        format!("{rate:.0}")
    } else {
        format!("{:.1}k", rate / 1000.0)
    }
}

/// How often `work`, which does `count` things, is done in a second.
pub fn rate(count: usize, work: impl FnOnce()) -> f64 {
    let start = std::time::Instant::now();
    work();
    count as f64 / start.elapsed().as_secs_f64()
}
