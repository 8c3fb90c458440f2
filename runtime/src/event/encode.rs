//! Writing a payload: JSON text, without the values that JSON has no form for.
//!
//! `serde_json` writes NaN and the infinities as `null`, which cannot be read back. [`Finite`] stands between a value and
//! its serializer, refuses them, and hands everything else through. It is made of inlined calls, so it costs a comparison
//! for each float and nothing for anything else.

use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::PayloadError;

/// Appends a value as JSON text.
///
/// # Errors
/// [`PayloadError::Unstorable`] when a value has no form in JSON: NaN, an infinity, a map whose keys are no texts.
#[inline]
pub(crate) fn to_json<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), PayloadError> {
    value
        .serialize(Finite(&mut serde_json::Serializer::new(out)))
        .map_err(unstorable)
}

#[cold]
#[expect(clippy::needless_pass_by_value, reason = "the signature of `map_err`")]
fn unstorable(error: serde_json::Error) -> PayloadError {
    PayloadError::Unstorable(error.to_string())
}

/// A serializer, a compound of one, or a value on its way into one, that lets no float through which is not finite.
struct Finite<T>(T);

#[cold]
fn refused<E: Error>(value: f64) -> E {
    E::custom(format_args!("{value} is not a number that JSON has"))
}

impl<T: Serialize + ?Sized> Serialize for Finite<&T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Finite(serializer))
    }
}

macro_rules! hand_through {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        #[inline]
        fn $method(self, $($argument: $type),*) -> Result<S::Ok, S::Error> {
            self.0.$method($($argument),*)
        }
    )*};
}

macro_rules! open {
    ($($method:ident($($argument:ident: $type:ty),*) -> $compound:ident;)*) => {$(
        #[inline]
        fn $method(self, $($argument: $type),*) -> Result<Self::$compound, S::Error> {
            self.0.$method($($argument),*).map(Finite)
        }
    )*};
}

impl<S: Serializer> Serializer for Finite<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Finite<S::SerializeSeq>;
    type SerializeTuple = Finite<S::SerializeTuple>;
    type SerializeTupleStruct = Finite<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Finite<S::SerializeTupleVariant>;
    type SerializeMap = Finite<S::SerializeMap>;
    type SerializeStruct = Finite<S::SerializeStruct>;
    type SerializeStructVariant = Finite<S::SerializeStructVariant>;

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            self.0.serialize_f32(value)
        } else {
            Err(refused(value.into()))
        }
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            self.0.serialize_f64(value)
        } else {
            Err(refused(value))
        }
    }

    hand_through! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Finite(value))
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Finite(value))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0
            .serialize_newtype_variant(name, index, variant, &Finite(value))
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.collect_str(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }

    open! {
        serialize_seq(len: Option<usize>) -> SerializeSeq;
        serialize_tuple(len: usize) -> SerializeTuple;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant;
        serialize_map(len: Option<usize>) -> SerializeMap;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant;
    }
}

macro_rules! compounds {
    ($($compound:ident $(with $skip:ident)? { $($method:ident($($name:ident)?);)* })*) => {$(
        impl<C: $compound> $compound for Finite<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            $(
                #[inline]
                fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Result<(), C::Error> {
                    self.0.$method($($name,)? &Finite(value))
                }
            )*

            $(
                #[inline]
                fn $skip(&mut self, name: &'static str) -> Result<(), C::Error> {
                    self.0.$skip(name)
                }
            )?

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.0.end()
            }
        }
    )*};
}

compounds! {
    SerializeSeq { serialize_element(); }
    SerializeTuple { serialize_element(); }
    SerializeTupleStruct { serialize_field(); }
    SerializeTupleVariant { serialize_field(); }
    SerializeStruct with skip_field { serialize_field(name); }
    SerializeStructVariant with skip_field { serialize_field(name); }
    SerializeMap { serialize_key(); serialize_value(); }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::to_json;
    use crate::event::PayloadError;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(f64),
        Tuple(u8, Option<f32>),
        Struct { x: f64, label: &'static str },
    }

    #[derive(Serialize)]
    struct Wrapper<T>(T);

    #[derive(Serialize)]
    struct Pair(f64, f64);

    #[derive(Serialize)]
    struct All {
        shapes: Vec<Shape>,
        by_number: BTreeMap<u32, Wrapper<f64>>,
        when: chrono::DateTime<chrono::Utc>,
        text: String,
        raw: Box<serde_json::value::RawValue>,
        large: (u128, i128, char, bool),
        pair: Pair,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        unit: (),
        value: serde_json::Value,
        #[serde(flatten)]
        rest: BTreeMap<String, f64>,
    }

    fn all(x: f64) -> All {
        All {
            shapes: vec![
                Shape::Unit,
                Shape::New(0.5),
                Shape::Tuple(1, Some(0.25)),
                Shape::Struct { x, label: "é\n" },
            ],
            by_number: BTreeMap::from([(7, Wrapper(1e300))]),
            when: chrono::DateTime::UNIX_EPOCH,
            text: "\u{1f980}\"\\".into(),
            raw: serde_json::value::RawValue::from_string("{\"a\" : 1}".into()).unwrap(),
            large: (u128::MAX, i128::MIN, 'x', true),
            pair: Pair(1.0, -0.0),
            absent: None,
            unit: (),
            value: serde_json::json!({"n": [1, 2.5, null]}),
            rest: BTreeMap::from([("deep".into(), 2.0)]),
        }
    }

    fn encoded(value: &impl Serialize) -> Result<String, PayloadError> {
        let mut out = Vec::new();
        to_json(value, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_text_is_the_one_that_serde_json_writes() {
        let value = all(3.5);
        assert_eq!(
            encoded(&value).unwrap(),
            serde_json::to_string(&value).unwrap()
        );
    }

    #[test]
    fn a_float_without_a_form_in_json_is_refused_wherever_it_stands() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut nested = all(1.0);
            nested.rest.insert("bad".into(), bad);
            let mut mapped = all(1.0);
            mapped.by_number.insert(1, Wrapper(bad));
            let mut paired = all(1.0);
            paired.pair = Pair(0.0, bad);
            #[expect(clippy::cast_possible_truncation, reason = "it stays not finite")]
            let narrow = Shape::Tuple(0, Some(bad as f32));
            let refused = [
                encoded(&bad),
                encoded(&Some(vec![Wrapper(bad)])),
                encoded(&Shape::New(bad)),
                encoded(&narrow),
                encoded(&all(bad)),
                encoded(&nested),
                encoded(&mapped),
                encoded(&paired),
                encoded(&[(bad,)]),
            ];
            for result in refused {
                assert!(
                    matches!(result, Err(PayloadError::Unstorable(_))),
                    "{result:?}"
                );
            }
        }
        assert_eq!(
            encoded(&f64::NAN).unwrap_err().to_string(),
            "the value cannot be stored as JSON: NaN is not a number that JSON has"
        );
    }

    #[test]
    fn a_map_without_text_keys_is_refused() {
        let value = BTreeMap::from([(vec![1], 1)]);
        assert!(matches!(encoded(&value), Err(PayloadError::Unstorable(_))));
    }
}
