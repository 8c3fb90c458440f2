//! The table on the terminal, and how figures are written everywhere.

use super::{Budget, Cost, Figures, Outcome, Row, Size, Unit};

pub fn header() -> String {
    line(
        "work",
        "store",
        "floor",
        "ours",
        "ratio",
        "(min to max)",
        "budget",
        "",
    )
}

pub fn row(row: &Row) -> String {
    let figures = match &row.outcome {
        Outcome::Measured(figures) => figures,
        Outcome::NotRun(reason) => {
            return line(
                &row.work,
                &row.backend,
                "",
                "",
                "",
                "",
                "",
                &format!("not run: {reason}"),
            );
        }
    };
    let floor = figures
        .floor
        .map_or_else(|| "-".to_owned(), |floor| value(figures.unit, floor));
    let (ratio, range) = figures.ratio.map_or_else(
        || ("-".to_owned(), String::new()),
        |ratio| {
            (
                two_places(ratio.middle),
                format!("({} to {})", two_places(ratio.min), two_places(ratio.max)),
            )
        },
    );
    let budget = figures.budget.map_or_else(|| "-".to_owned(), self::budget);
    let ours = value(figures.unit, figures.ours);
    line(
        &row.work,
        &row.backend,
        &floor,
        &ours,
        &ratio,
        &range,
        &budget,
        &note(figures),
    )
}

/// The last of the sizes of a log that grows.
pub fn size(points: &[Size]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let costs: Vec<String> = last
        .costs
        .iter()
        .map(|cost| format!("{}: {}", cost.work, grown(cost, first)))
        .collect();
    let log = last
        .log
        .map_or_else(String::new, |log| format!(", log: {log:.0} MB"));
    let memory = last.memory.map_or_else(String::new, |(floor, ours)| {
        format!(", memory: {ours:.0} MB ({floor:.0})")
    });
    format!(
        "{:>10} events  {}{log}{memory}",
        last.events,
        costs.join(", ")
    )
}

/// A cost, the floor's, and how many times those of the smallest log.
pub fn grown(cost: &Cost, first: &Size) -> String {
    let (ours, floor) = growth_of(cost, first);
    format!(
        "{:.2} × {ours:.2} ({:.2} × {floor:.2})",
        cost.ours, cost.floor
    )
}

/// How many times that of the smallest log a cost is, and the floor's.
pub fn growth_of(cost: &Cost, first: &Size) -> (f64, f64) {
    let before = first
        .costs
        .iter()
        .find(|before| before.work == cost.work)
        .unwrap_or(cost);
    (cost.ours / before.ours, cost.floor / before.floor)
}

#[expect(clippy::too_many_arguments, reason = "one for each column")]
fn line(
    work: &str,
    store: &str,
    floor: &str,
    ours: &str,
    ratio: &str,
    range: &str,
    budget: &str,
    note: &str,
) -> String {
    let line = format!(
        "{work:<48} {store:<10} {floor:>10} {ours:>10} {ratio:>6} {range:>16} {budget:>8}  {note}"
    );
    line.trim_end().to_owned()
}

/// What is said beside the figures.
pub fn note(figures: &Figures) -> String {
    let mut parts = Vec::new();
    if figures.missed() {
        parts.push(match figures.limits.as_str() {
            "" => "MISSED".to_owned(),
            limits => format!("MISSED ({limits})"),
        });
    }
    if let Some((floor, ours)) = figures.delays {
        let pair = |ours, floor: Option<f64>| match floor {
            Some(floor) => format!("{} against {}", milliseconds(ours), milliseconds(floor)),
            None => milliseconds(ours),
        };
        parts.push(format!(
            "p50 {}",
            pair(ours.p50, floor.map(|floor| floor.p50))
        ));
        parts.push(format!(
            "p99 {}",
            pair(ours.p99, floor.map(|floor| floor.p99))
        ));
    }
    if let Some((floor, ours)) = figures.attempts {
        parts.push(format!(
            "attempts for a success {ours:.2} against {floor:.2}"
        ));
    }
    if !figures.note.is_empty() {
        parts.push(figures.note.clone());
    }
    parts.join(", ")
}

pub fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::PerSecond => format!("{}/s", thousands(value)),
        Unit::Milliseconds => milliseconds(value),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Megabytes => format!("{value:.1} MB"),
    }
}

pub fn budget(budget: Budget) -> String {
    match budget {
        Budget::AtLeast(least) => format!("≥ {least:.2}"),
        Budget::AtMost(most) => format!("≤ {most:.2}"),
        Budget::Attempts(most) => format!("< {most:.1} att."),
        Budget::Less(most) => format!("< {most:.1}"),
    }
}

pub fn two_places(ratio: f64) -> String {
    if ratio < 100.0 {
        format!("{ratio:.2}")
    } else {
        format!("{ratio:.0}")
    }
}

fn milliseconds(value: f64) -> String {
    match value {
        ..0.095 => format!("{:.1} µs", value * 1e3),
        ..10.0 => format!("{value:.2} ms"),
        _ => format!("{value:.0} ms"),
    }
}

fn thousands(rate: f64) -> String {
    match rate {
        0.0..10_000.0 => format!("{rate:.0}"),
        10_000.0..1_000_000.0 => format!("{:.1}k", rate / 1e3),
        _ => format!("{:.2}M", rate / 1e6),
    }
}
