//! What a query gives, as the types of whoever asks.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// A row that a query gave: the names of its columns, and their values as JSON.
///
/// It is read as a struct whose fields are called like the columns, or as a tuple in their order, or as a single value.
/// `bool` also reads 0 and 1, for SQLite.
///
/// ```
/// use recount::sql::Row;
///
/// #[derive(serde::Deserialize)]
/// struct Task { title: String, done: bool }
///
/// let row = Row::new([("title", "Paint".into()), ("done", 1.into())]);
/// let task: Task = row.read()?;
/// assert!(task.title == "Paint" && task.done);
/// assert_eq!(Row::new([("count", 7.into())]).read::<u64>()?, 7);
/// # Ok::<_, recount::sql::RowError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<(String, Value)>);

/// A row does not fit the type that it was read as.
#[derive(Debug, thiserror::Error)]
#[error("a row does not fit the type that it is read as: {0}")]
pub struct RowError(serde_json::Error);

impl Row {
    /// A row of these columns.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, Value)>) -> Self {
        let columns = columns.into_iter();
        Self(columns.map(|(name, value)| (name.into(), value)).collect())
    }

    /// Reads a JSON object, whose members keep their order.
    #[cfg(feature = "postgres")]
    pub(crate) fn of_object(json: &str) -> serde_json::Result<Self> {
        struct Columns;

        impl<'de> Visitor<'de> for Columns {
            type Value = Row;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a row as an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<Row, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = members.next_entry()? {
                    columns.push(column);
                }
                Ok(Row(columns))
            }
        }

        serde_json::Deserializer::from_str(json).deserialize_map(Columns)
    }

    /// Its first value, when that is text.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.first()?.1.as_str()
    }

    /// Whether a text stands in one of its values.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        let mut texts = self.0.iter().filter_map(|(_, value)| value.as_str());
        texts.any(|value| value.contains(text))
    }

    /// Reads it as a type.
    ///
    /// # Errors
    /// [`RowError`] when it does not fit.
    pub fn read<T: de::DeserializeOwned>(self) -> Result<T, RowError> {
        T::deserialize(self).map_err(RowError)
    }
}

impl<'de> Deserializer<'de> for Row {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let Ok([(_, value)]) = <[_; 1]>::try_from(self.0) else {
            return Err(de::Error::custom(
                "it has several columns; read it as a struct or a tuple",
            ));
        };
        Cell(value).deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.single()?.deserialize_bool(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.single()?.deserialize_option(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let cells = self.0.into_iter().map(|(name, value)| (name, Cell(value)));
        MapDeserializer::new(cells).deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let cells = self.0.into_iter().map(|(_, value)| Cell(value));
        SeqDeserializer::new(cells).deserialize_seq(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct identifier ignored_any
    }
}

impl Row {
    /// Its value, when it has one column.
    fn single(self) -> Result<Cell, serde_json::Error> {
        match <[_; 1]>::try_from(self.0) {
            Ok([(_, value)]) => Ok(Cell(value)),
            Err(_) => Err(de::Error::custom(
                "it has several columns; read it as a struct or a tuple",
            )),
        }
    }
}

/// A value of a row.
struct Cell(Value);

impl IntoDeserializer<'_, serde_json::Error> for Cell {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Cell {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0.as_i64() {
            Some(0) => visitor.visit_bool(false),
            Some(1) => visitor.visit_bool(true),
            _ => self.0.deserialize_bool(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct
        map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum State {
        Open,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(String);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Task {
        id: Id,
        state: State,
        done: Option<bool>,
        by: Option<String>,
    }

    fn row() -> Row {
        Row::new([
            ("id", "t-1".into()),
            ("state", "open".into()),
            ("done", 0.into()),
            ("by", Value::Null),
            ("unasked", 7.into()),
        ])
    }

    #[test]
    fn a_row_is_read_as_a_struct_by_the_names_of_its_columns() {
        let task = Task {
            id: Id("t-1".into()),
            state: State::Open,
            done: Some(false),
            by: None,
        };
        assert_eq!(row().read::<Task>().unwrap(), task);
    }

    #[test]
    fn a_row_is_read_as_a_tuple_in_the_order_of_its_columns() {
        let row = Row::new([("b", 1.into()), ("a", "x".into())]);
        assert_eq!(row.read::<(bool, String)>().unwrap(), (true, "x".into()));
    }

    #[test]
    fn a_row_of_one_column_is_read_as_its_value() {
        let one = |value: Value| Row::new([("v", value)]);
        assert!(one(1.into()).read::<bool>().unwrap());
        assert_eq!(one(Value::Null).read::<Option<u8>>().unwrap(), None);
        assert_eq!(one("open".into()).read::<State>().unwrap(), State::Open);
        assert_eq!(one("x".into()).read::<Id>().unwrap(), Id("x".into()));
    }

    #[test]
    fn a_row_that_does_not_fit_says_why() {
        let error = row().read::<u64>().unwrap_err().to_string();
        assert!(error.contains("several columns"), "{error}");
        let error = Row::new([("done", 2.into())]).read::<bool>().unwrap_err();
        assert!(error.to_string().contains("expected a boolean"), "{error}");
    }
}
