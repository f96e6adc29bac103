//! Rows into the caller's own types, through serde.

use std::fmt;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::value::{Value, rfc3339, seconds};

/// A row that does not fit the type asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    row: Option<usize>,
    column: Option<String>,
    message: String,
}

impl RowError {
    pub(super) fn in_row(mut self, number: usize) -> Self {
        self.row.get_or_insert(number + 1);
        self
    }

    fn in_column(mut self, name: &str) -> Self {
        self.column.get_or_insert_with(|| name.to_owned());
        self
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        if let Some(column) = &self.column {
            write!(f, "column `{column}`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for RowError {}

impl Error for RowError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { row: None, column: None, message: message.to_string() }
    }
}

/// A row: a map by the names of columns, or a sequence.
pub(super) struct Row<'a> {
    pub(super) names: &'a [&'a str],
    pub(super) values: &'a [Value],
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_map(Fields { names: self.names, values: self.values, place: 0 })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        visitor.visit_seq(SeqDeserializer::new(self.values.iter().map(Field)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, RowError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct map struct enum identifier ignored_any
    }
}

struct Fields<'a> {
    names: &'a [&'a str],
    values: &'a [Value],
    place: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = RowError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, RowError> {
        match self.names.get(self.place) {
            Some(&name) => {
                let key: StrDeserializer<'_, RowError> = name.into_deserializer();
                seed.deserialize(key).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, RowError> {
        let name = self.names.get(self.place).copied().unwrap_or_default();
        let value = self.values.get(self.place).unwrap_or(&Value::Null);
        self.place += 1;
        seed.deserialize(Field(value)).map_err(|error| error.in_column(name))
    }
}

struct Field<'a>(&'a Value);

impl<'de> IntoDeserializer<'de, RowError> for Field<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Field<'_> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Time(at) => visitor.visit_string(rfc3339(*at).map_err(RowError::custom)?),
            Value::Duration(length) => match seconds(*length) {
                Ok(whole) => visitor.visit_i64(whole),
                Err(number) => visitor.visit_f64(number),
            },
            Value::Str(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Field))),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Value::Time(at) => visitor.visit_i64(*at),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, RowError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    /// Text names a variant.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, RowError> {
        match self.0 {
            Value::Str(text) => {
                let text: StrDeserializer<'_, RowError> = text.as_ref().into_deserializer();
                text.deserialize_enum(name, variants, visitor)
            }
            other => {
                Err(RowError::custom(format!("{} where one of {variants:?} is wanted", other.type_name())))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}
