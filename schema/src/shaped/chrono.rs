//! The types of the crate `chrono`.

use chrono::{
    DateTime, FixedOffset, Local, Month, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc,
    Weekday,
};

use crate::{Element, Format, Int, Shape, Shaped};

/// The seconds that every `TimeDelta` can have, whatever its nanoseconds are.
const SECONDS: &Shape = &Shape::Int(Int::new(-9_223_372_036_854_774, 9_223_372_036_854_774));
/// Parts of a second, always upwards.
const NANOS: &Shape = &Shape::Int(Int::new(0, 999_999_999));

// A time zone for each, since others cannot be read.
macro_rules! formats {
    ($($type:ty = $format:expr,)*) => {$(
        impl Shaped for $type {
            const SHAPE: &'static Shape = &Shape::String($format);
        }
    )*};
}

formats! {
    NaiveDate = Format::Date,
    NaiveTime = Format::Time,
    NaiveDateTime = Format::NaiveDateTime,
    DateTime<Utc> = Format::DateTime,
    DateTime<Local> = Format::DateTime,
    DateTime<FixedOffset> = Format::DateTime,
    Weekday = Format::Named("weekday"),
    Month = Format::Named("month"),
}

impl Shaped for TimeDelta {
    const SHAPE: &'static Shape = &Shape::Tuple(&[Element::new(SECONDS), Element::new(NANOS)]);
}
