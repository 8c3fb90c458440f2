//! As much of SVG as the pictures need: a white sheet with lines, bars, dots and words on it, and scales.

use std::fmt::Write as _;

pub struct Svg {
    width: f64,
    height: f64,
    body: String,
}

#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

pub const INK: &str = "#1f2328";
pub const GREY: &str = "#6e7781";
pub const FAINT: &str = "#d8dee4";

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        Self {
            width,
            height,
            body: String::new(),
        }
    }

    pub fn line(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        colour: &str,
        width: f64,
        dashed: bool,
    ) {
        let dash = if dashed {
            " stroke-dasharray=\"5 4\""
        } else {
            ""
        };
        self.push(&format!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"{dash}/>",
            from.0, from.1, to.0, to.1
        ));
    }

    pub fn bar(&mut self, (x, y): (f64, f64), width: f64, height: f64, colour: &str) {
        self.push(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        ));
    }

    /// Filled, or a ring.
    pub fn dot(&mut self, (x, y): (f64, f64), colour: &str, filled: bool) {
        let fill = if filled { colour } else { "#ffffff" };
        self.push(&format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ));
    }

    pub fn text(
        &mut self,
        (x, y): (f64, f64),
        anchor: Anchor,
        size: u32,
        colour: &str,
        text: &str,
    ) {
        let anchor = anchor.name();
        let text = escaped(text);
        self.push(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{colour}\">{text}</text>"
        ));
    }

    /// The name of a vertical scale, read upwards.
    pub fn upwards(&mut self, (x, y): (f64, f64), text: &str) {
        let text = escaped(text);
        self.push(&format!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" font-size=\"13\" fill=\"{INK}\">{text}</text>"
        ));
    }

    /// The whole file; the title is also what a screen reader says.
    pub fn finish(self, title: &str) -> String {
        let (width, height, title) = (self.width, self.height, escaped(title));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\" role=\"img\">\n<title>{title}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
             <text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"600\" fill=\"{INK}\">{title}</text>\n{}</svg>\n",
            self.body
        )
    }

    fn push(&mut self, element: &str) {
        writeln!(self.body, "{element}").expect("a String takes everything");
    }
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A logarithmic scale, from whole powers of its base to whole powers.
pub struct LogScale {
    base: f64,
    powers: (i32, i32),
    pixels: (f64, f64),
}

impl LogScale {
    /// Wide enough for all values.
    pub fn over(values: impl Iterator<Item = f64>, base: f64, pixels: (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, base);
        }
        // A value that is a power up to rounding needs no further one.
        let power = |value: f64| (value.ln() / base.ln() * 1e9).round() / 1e9;
        let powers = (power(low).floor() as i32, power(high).ceil() as i32);
        let powers = if powers.0 == powers.1 {
            (powers.0, powers.0 + 1)
        } else {
            powers
        };
        Self {
            base,
            powers,
            pixels,
        }
    }

    pub fn at(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.powers.0), f64::from(self.powers.1));
        let share = ((value.ln() / self.base.ln()).clamp(low, high) - low) / (high - low);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    pub fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let base = self.base;
        (self.powers.0..=self.powers.1).map(move |power| base.powi(power))
    }
}
