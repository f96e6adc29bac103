//! Typed attributes, with the roles that the analyses rely on.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::{ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTES_MAX};

/// An attribute's number inside one store: its place in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttrId(pub u16);

impl AttrId {
    /// Reserved: the interaction's sequence, an [`Column::Int`](crate::Column::Int) never null.
    pub const SEQUENCE: Self = Self(u16::MAX);
    /// Reserved: the number of the commit that recorded it, an `Int` never null.
    pub const COMMIT: Self = Self(u16::MAX - 1);
    /// Reserved: the ordinal of the identity it came under, an `Int` never null.
    pub const IDENTITY: Self = Self(u16::MAX - 2);
    /// Reserved: the number of the commit that amended it away, an `Int`; only versions that are
    /// not read any more have one.
    pub const UNTIL: Self = Self(u16::MAX - 3);
    /// Reserved: when it was recorded, an `Int` in milliseconds since 1970 UTC; NULL, or without a
    /// column, where it was when its commit was.
    pub const RECORDED: Self = Self(u16::MAX - 4);
    /// Reserved: the number of the commit whose amendment made it what it is, an `Int`; NULL, or
    /// without a column, where it is as it was recorded.
    pub const SINCE: Self = Self(u16::MAX - 5);
    /// Reserved: what is to be done to an interaction, in rows that are on their way to it alone.
    pub(crate) const EDIT: Self = Self(u16::MAX - 6);

    /// Whether this is one of the reserved columns, which no schema lists.
    pub fn is_reserved(self) -> bool {
        self.0 >= Self::EDIT.0
    }
}

/// What the values of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AttrType {
    /// Text from a small set of values, kept in a dictionary of the store: a channel, a topic.
    Symbol,
    /// Text that names one thing among very many: a case number.
    Id,
    /// A whole number, 64 bits, signed.
    Int,
    /// A number, IEEE 754 double; never NaN.
    Float,
    /// True or false.
    Bool,
    /// A point in time, milliseconds since 1970 UTC.
    Time,
    /// Words people wrote.
    Text,
}

impl AttrType {
    /// The name shown to users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Symbol => "symbol",
            Self::Id => "id",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Time => "time",
            Self::Text => "text",
        }
    }

    /// The type called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Symbol, Self::Id, Self::Int, Self::Float, Self::Bool, Self::Time, Self::Text]
            .into_iter()
            .find(|ty| ty.name().eq_ignore_ascii_case(name))
    }

    /// Whether values are strings: symbol, id or text.
    pub fn is_string(self) -> bool {
        matches!(self, Self::Symbol | Self::Id | Self::Text)
    }

    /// The narrowest type that values of both types can be read through
    /// (int -> float -> text; symbol -> id -> text; anything else -> text).
    #[must_use]
    pub fn widened(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            (Self::Symbol, Self::Id) | (Self::Id, Self::Symbol) => Self::Id,
            _ => Self::Text,
        }
    }
}

/// What an analysis may rely on an attribute for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the field's own word of that name")]
pub enum Role {
    Channel,
    Touchpoint,
    Stage,
    Kind,
    Topic,
    Case,
    Agent,
    Team,
    Direction,
    Sentiment,
    Score,
    Csat,
    Nps,
    Ces,
    Resolved,
    Text,
    EventId,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 17] = [
        Self::Channel,
        Self::Touchpoint,
        Self::Stage,
        Self::Kind,
        Self::Topic,
        Self::Case,
        Self::Agent,
        Self::Team,
        Self::Direction,
        Self::Sentiment,
        Self::Score,
        Self::Csat,
        Self::Nps,
        Self::Ces,
        Self::Resolved,
        Self::Text,
        Self::EventId,
    ];

    /// The name shown to users; also the name of the core attribute of this role.
    pub fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Touchpoint => "touchpoint",
            Self::Stage => "stage",
            Self::Kind => "kind",
            Self::Topic => "topic",
            Self::Case => "case",
            Self::Agent => "agent",
            Self::Team => "team",
            Self::Direction => "direction",
            Self::Sentiment => "sentiment",
            Self::Score => "score",
            Self::Csat => "csat",
            Self::Nps => "nps",
            Self::Ces => "ces",
            Self::Resolved => "resolved",
            Self::Text => "text",
            Self::EventId => "event_id",
        }
    }

    /// The type of the core attribute of this role.
    pub fn attr_type(self) -> AttrType {
        match self {
            Self::Case | Self::EventId => AttrType::Id,
            Self::Sentiment | Self::Score | Self::Csat | Self::Nps | Self::Ces => AttrType::Float,
            Self::Resolved => AttrType::Bool,
            Self::Text => AttrType::Text,
            _ => AttrType::Symbol,
        }
    }

    /// The role called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name))
    }
}

/// Whether an attribute belongs to interactions or to customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the two say what they are")]
pub enum Subject {
    Interaction,
    Customer,
}

/// One attribute of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its number: its place in the schema.
    pub id: AttrId,
    /// Its name as first written. Names ignore case.
    pub name: String,
    /// The type of its values.
    pub ty: AttrType,
    /// The type it was first declared with: what was written before it was
    /// widened is of a type between the two.
    pub first_ty: AttrType,
    /// Its role, where it has one. One attribute has a role at a time.
    pub role: Option<Role>,
    /// Whose attribute it is.
    pub subject: Subject,
}

/// The attributes of a store, in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    attributes: Vec<Attribute>,
}

impl Default for Schema {
    fn default() -> Self {
        Self::new()
    }
}

impl Schema {
    /// The schema every store begins with: one attribute for each role, named
    /// after it, and `value` (float).
    pub fn new() -> Self {
        let mut schema = Self { attributes: Vec::new() };
        for role in Role::ALL {
            schema.attributes.push(Attribute {
                id: AttrId(schema.attributes.len() as u16),
                name: role.name().to_owned(),
                ty: role.attr_type(),
                first_ty: role.attr_type(),
                role: Some(role),
                subject: Subject::Interaction,
            });
        }
        schema.attributes.push(Attribute {
            id: AttrId(schema.attributes.len() as u16),
            name: "value".to_owned(),
            ty: AttrType::Float,
            first_ty: AttrType::Float,
            role: None,
            subject: Subject::Interaction,
        });
        schema
    }

    /// All attributes, in the order of their numbers.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The attribute of that number. Reserved numbers have none.
    pub fn get(&self, id: AttrId) -> Option<&Attribute> {
        self.attributes.get(usize::from(id.0))
    }

    /// The attribute of `subject` called `name`, ignoring case.
    pub fn find(&self, subject: Subject, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.subject == subject && attribute.name.eq_ignore_ascii_case(name))
    }

    /// The interaction attribute that has `role`.
    pub fn role(&self, role: Role) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.role == Some(role))
    }

    /// Adds an attribute, or widens the type of the one of that name. Answers
    /// its number and whether the schema changed.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty name, [`Error::Limit`] for too long a
    /// name or too many attributes.
    pub fn declare(
        &mut self,
        subject: Subject,
        name: &str,
        ty: AttrType,
        role: Option<Role>,
    ) -> Result<(AttrId, bool)> {
        let name = name.trim();
        if name.is_empty() {
            return Err(Error::invalid("an attribute needs a name"));
        }
        if name.len() > ATTRIBUTE_NAME_BYTES_MAX {
            return Err(Error::Limit {
                what: "bytes in the name of an attribute",
                value: name.len() as u64,
                limit: ATTRIBUTE_NAME_BYTES_MAX as u64,
            });
        }
        let before = self.attributes.clone();
        let id = match self.find(subject, name).map(|attribute| attribute.id) {
            Some(id) => id,
            None => {
                if self.attributes.len() >= ATTRIBUTES_MAX {
                    return Err(Error::Limit {
                        what: "attributes in a store",
                        value: self.attributes.len() as u64 + 1,
                        limit: ATTRIBUTES_MAX as u64,
                    });
                }
                let id = AttrId(self.attributes.len() as u16);
                self.attributes.push(Attribute {
                    id,
                    name: name.to_owned(),
                    ty,
                    first_ty: ty,
                    role: None,
                    subject,
                });
                id
            }
        };
        if let Some(role) = role {
            for attribute in &mut self.attributes {
                if attribute.role == Some(role) && attribute.id != id {
                    attribute.role = None;
                }
            }
        }
        if let Some(attribute) = self.attributes.get_mut(usize::from(id.0)) {
            attribute.ty = attribute.ty.widened(ty);
            attribute.role = role.or(attribute.role);
        }
        Ok((id, before != self.attributes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declaring_twice_widens() {
        let mut schema = Schema::new();
        let (plan, changed) =
            schema.declare(Subject::Interaction, "Amount", AttrType::Int, None).expect("declares");
        assert!(changed);
        assert_eq!(
            schema.declare(Subject::Interaction, "amount", AttrType::Float, None).expect("widens"),
            (plan, true)
        );
        assert_eq!(schema.get(plan).expect("is there").ty, AttrType::Float);
        assert_eq!(
            schema.declare(Subject::Interaction, "amount", AttrType::Int, None).expect("stays"),
            (plan, false)
        );
    }

    #[test]
    fn a_role_moves() {
        let mut schema = Schema::new();
        let (id, _) = schema
            .declare(Subject::Interaction, "issue", AttrType::Symbol, Some(Role::Topic))
            .expect("declares");
        assert_eq!(schema.role(Role::Topic).expect("has it").id, id);
        assert_eq!(schema.find(Subject::Interaction, "topic").expect("stays").role, None);
    }
}
