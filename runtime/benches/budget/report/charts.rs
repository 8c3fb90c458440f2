//! The pictures.

use super::svg::{Anchor, FAINT, GREY, INK, LogScale, Svg};
use super::table::two_places;
use super::{Budget, Figures, Growth, Results, Row, Unit};

const OURS: &str = "#0969da";
const FLOOR: &str = "#9a6700";
const MISSED: &str = "#cf222e";
const SERIES: [&str; 5] = ["#0969da", "#1a7f37", "#8250df", "#bc4c00", "#cf222e"];

const WIDTH: f64 = 960.0;
/// Room for what the rows are called.
const LEFT: f64 = 396.0;
const TOP: f64 = 66.0;
const ROW: f64 = 30.0;

/// Each picture with the name of its file.
pub fn all(results: &Results) -> Vec<(String, String)> {
    let mut pictures = Vec::new();
    for (backend, rows) in by_backend(results) {
        let rates: Vec<_> = rows.iter().copied().filter(|row| is_rate(row)).collect();
        if !rates.is_empty() {
            pictures.push((file("ratio", backend), ratios(backend, &rates)));
        }
        let delays: Vec<_> = rows.iter().copied().filter(|row| has_delays(row)).collect();
        if !delays.is_empty() {
            pictures.push((file("delays", backend), delays_of(backend, &delays)));
        }
    }
    for growth in &results.growth {
        pictures.push((file("growth", &growth.backend), growth_of(growth)));
    }
    pictures
}

/// The name of a picture's file.
pub fn file(what: &str, backend: &str) -> String {
    let backend = if backend.is_empty() {
        "no-store"
    } else {
        backend
    };
    format!("{what}-{}.svg", backend.to_lowercase().replace(' ', "-"))
}

/// The stores in the order in which they come first, each with its rows.
pub fn by_backend(results: &Results) -> Vec<(&str, Vec<&Row>)> {
    let mut all: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in &results.rows {
        match all.iter_mut().find(|(backend, _)| *backend == row.backend) {
            Some((_, rows)) => rows.push(row),
            None => all.push((&row.backend, vec![row])),
        }
    }
    all
}

fn is_rate(row: &Row) -> bool {
    row.figures()
        .is_some_and(|figures| figures.unit == Unit::PerSecond && figures.ratio.is_some())
}

fn has_delays(row: &Row) -> bool {
    row.figures()
        .is_some_and(|figures| figures.delays.is_some())
}

/// Bars from 1, what the floor does: to the right ours is faster, to the left slower.
fn ratios(backend: &str, rows: &[&Row]) -> String {
    let (left, right) = (LEFT, WIDTH - 60.0);
    let bottom = TOP + ROW * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 60.0);
    let figures = || rows.iter().filter_map(|row| row.figures());
    let shown = figures().flat_map(|figures| {
        let ratio = figures
            .ratio
            .map_or([1.0; 2], |ratio| [ratio.min, ratio.max]);
        ratio.into_iter().chain(least(figures))
    });
    let scale = LogScale::over(shown.chain([0.5, 2.0]), 2.0, (left, right));
    for tick in scale.ticks() {
        let x = scale.at(tick);
        svg.line((x, TOP), (x, bottom), FAINT, 1.0, false);
        svg.text(
            (x, bottom + 18.0),
            Anchor::Middle,
            12,
            GREY,
            &format!("{tick}"),
        );
    }
    let middle = f64::midpoint(left, right);
    svg.text(
        (middle, bottom + 42.0),
        Anchor::Middle,
        13,
        INK,
        "ours ÷ floor, as work in a second (1 = as fast as by hand, logarithmic)",
    );
    svg.upwards((18.0, f64::midpoint(TOP, bottom)), "work");
    for (row, top) in rows.iter().zip((0..).map(|row| TOP + ROW * f64::from(row))) {
        let Some((figures, ratio)) = row
            .figures()
            .and_then(|figures| Some((figures, figures.ratio?)))
        else {
            continue;
        };
        let y = top + ROW / 2.0;
        svg.text((left - 12.0, y + 4.0), Anchor::End, 13, INK, &row.work);
        let (one, end) = (scale.at(1.0), scale.at(ratio.middle));
        let colour = if figures.missed() { MISSED } else { OURS };
        svg.bar((one.min(end), y - 8.0), (one - end).abs(), 16.0, colour);
        let (min, max) = (scale.at(ratio.min), scale.at(ratio.max));
        svg.line((min, y), (max, y), INK, 1.5, false);
        for x in [min, max] {
            svg.line((x, y - 4.0), (x, y + 4.0), INK, 1.5, false);
        }
        if let Some(least) = least(figures) {
            let x = scale.at(least);
            svg.line((x, y - 13.0), (x, y + 13.0), FLOOR, 2.5, true);
        }
        let beside = max
            .max(one)
            .max(least(figures).map_or(0.0, |least| scale.at(least)));
        svg.text(
            (beside + 8.0, y + 4.0),
            Anchor::Start,
            12,
            INK,
            &two_places(ratio.middle),
        );
    }
    svg.line(
        (scale.at(1.0), TOP),
        (scale.at(1.0), bottom),
        INK,
        1.5,
        false,
    );
    legend(
        &mut svg,
        &[
            ("middle of the rounds", OURS, false),
            ("below its budget", MISSED, false),
            ("budget, the least", FLOOR, true),
        ],
    );
    svg.text(
        (WIDTH - 16.0, 48.0),
        Anchor::End,
        12,
        GREY,
        "whiskers: lowest and highest round",
    );
    svg.finish(&format!(
        "Speed against hand-written code: {}",
        named(backend)
    ))
}

fn least(figures: &Figures) -> Option<f64> {
    match figures.budget {
        Some(Budget::AtLeast(least)) => Some(least),
        _ => None,
    }
}

fn named(backend: &str) -> &str {
    if backend.is_empty() {
        "no store"
    } else {
        backend
    }
}

/// The middle and the slowest hundredth of calls.
fn delays_of(backend: &str, rows: &[&Row]) -> String {
    let (left, right) = (LEFT, WIDTH - 40.0);
    let bottom = TOP + ROW * 1.2 * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 60.0);
    let all = || rows.iter().filter_map(|row| row.figures()?.delays);
    let values = all()
        .flat_map(|(floor, ours)| [Some(ours), floor])
        .flatten();
    let scale = LogScale::over(
        values.flat_map(|delays| [delays.p50, delays.p99]),
        10.0,
        (left, right),
    );
    for tick in scale.ticks() {
        let x = scale.at(tick);
        svg.line((x, TOP), (x, bottom), FAINT, 1.0, false);
        svg.text(
            (x, bottom + 18.0),
            Anchor::Middle,
            12,
            GREY,
            &format!("{tick}"),
        );
    }
    let middle = f64::midpoint(left, right);
    svg.text(
        (middle, bottom + 42.0),
        Anchor::Middle,
        13,
        INK,
        "milliseconds for one call (logarithmic; less is better)",
    );
    svg.upwards((18.0, f64::midpoint(TOP, bottom)), "work");
    for (row, top) in rows
        .iter()
        .zip((0..).map(|row| TOP + ROW * 1.2 * f64::from(row)))
    {
        let Some((floor, ours)) = row.figures().and_then(|figures| figures.delays) else {
            continue;
        };
        let y = top + ROW * 0.6;
        svg.text((left - 12.0, y + 4.0), Anchor::End, 13, INK, &row.work);
        for (delays, colour, y) in [(floor, FLOOR, y - 6.0), (Some(ours), OURS, y + 6.0)] {
            let Some(delays) = delays else { continue };
            let (p50, p99) = (scale.at(delays.p50), scale.at(delays.p99));
            svg.line((p50, y), (p99, y), colour, 2.0, false);
            svg.dot((p50, y), colour, true);
            svg.dot((p99, y), colour, false);
        }
    }
    legend(&mut svg, &[("ours", OURS, false), ("floor", FLOOR, false)]);
    svg.text(
        (WIDTH - 16.0, 48.0),
        Anchor::End,
        12,
        GREY,
        "filled: half of the calls took no longer (p50); ring: 99 in 100 (p99)",
    );
    svg.finish(&format!("How long one call takes: {}", named(backend)))
}

/// Ours as lines, the floor's dashed.
fn growth_of(growth: &Growth) -> String {
    let (left, right, bottom) = (80.0, WIDTH - 230.0, 420.0);
    let mut svg = Svg::new(WIDTH, bottom + 60.0);
    let costs = || growth.points.iter().flat_map(|point| &point.costs);
    let x = LogScale::over(
        growth.points.iter().map(|point| point.events as f64),
        10.0,
        (left, right),
    );
    let y = LogScale::over(
        costs().flat_map(|cost| [cost.floor, cost.ours]),
        10.0,
        (bottom, TOP),
    );
    for tick in y.ticks() {
        svg.line((left, y.at(tick)), (right, y.at(tick)), FAINT, 1.0, false);
        svg.text(
            (left - 8.0, y.at(tick) + 4.0),
            Anchor::End,
            12,
            GREY,
            &format!("{tick}"),
        );
    }
    for tick in x.ticks() {
        svg.line((x.at(tick), TOP), (x.at(tick), bottom), FAINT, 1.0, false);
        svg.text(
            (x.at(tick), bottom + 18.0),
            Anchor::Middle,
            12,
            GREY,
            &grouped(tick),
        );
    }
    svg.text(
        (f64::midpoint(left, right), bottom + 42.0),
        Anchor::Middle,
        13,
        INK,
        "events in the log (logarithmic)",
    );
    svg.upwards(
        (22.0, f64::midpoint(TOP, bottom)),
        "microseconds for one event (logarithmic)",
    );
    let works: Vec<&str> = growth.points.first().map_or_else(Vec::new, |point| {
        point.costs.iter().map(|cost| cost.work.as_str()).collect()
    });
    let mut labels = Vec::new();
    for (work, colour) in works.into_iter().zip(SERIES.into_iter().cycle()) {
        let along = |value: fn(&super::Cost) -> f64| {
            let point = |size: &super::Size| {
                let cost = size.costs.iter().find(|cost| cost.work == work)?;
                Some((x.at(size.events as f64), y.at(value(cost))))
            };
            growth.points.iter().filter_map(point).collect::<Vec<_>>()
        };
        let (floor, ours) = (along(|cost| cost.floor), along(|cost| cost.ours));
        for (points, dashed) in [(&floor, true), (&ours, false)] {
            for pair in points.windows(2) {
                svg.line(pair[0], pair[1], colour, 2.0, dashed);
            }
            for point in points {
                svg.dot(*point, colour, !dashed);
            }
        }
        if let Some((_, at)) = ours.last() {
            labels.push((*at, work, colour));
        }
    }
    labels.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut lowest = f64::NEG_INFINITY;
    for (at, work, colour) in labels {
        lowest = at.max(lowest + 17.0);
        svg.text(
            (right + 14.0, lowest + 4.0),
            Anchor::Start,
            13,
            colour,
            work,
        );
    }
    svg.text(
        (WIDTH - 16.0, 48.0),
        Anchor::End,
        12,
        GREY,
        "filled and solid: ours; rings and dashes: the floor",
    );
    svg.finish(&format!(
        "What an event costs as the log grows: {}",
        named(&growth.backend)
    ))
}

fn legend(svg: &mut Svg, entries: &[(&str, &str, bool)]) {
    let mut x = 16.0;
    for (name, colour, dashed) in entries {
        if *dashed {
            svg.line((x + 7.0, 36.0), (x + 7.0, 52.0), colour, 2.5, true);
        } else {
            svg.bar((x, 38.0), 14.0, 12.0, colour);
        }
        svg.text((x + 20.0, 48.0), Anchor::Start, 12, INK, name);
        x += 44.0 + 6.6 * name.len() as f64;
    }
}

/// 1000000 as 1,000,000.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
