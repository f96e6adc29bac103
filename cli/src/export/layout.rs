//! Which columns a file of an export has, and the map that says so to `import`.

use std::collections::BTreeSet;
use std::fmt::Write;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use throughline::engine::{AttrId, AttrType, Attribute, Schema, Subject};

/// What each row has beside its attributes: header, type, and what it is to `import`; nothing where
/// it is left out there.
const PARTS: [(&str, Part, Option<&str>); 5] = [
    ("customer", Part::Text, Some("customer")),
    ("at", Part::Time, Some("ts")),
    ("sequence", Part::Int, Some("sequence")),
    ("commit", Part::Int, None),
    ("recorded", Part::Time, Some("recorded")),
];

#[derive(Clone, Copy)]
enum Part {
    Text,
    Time,
    Int,
}

/// The columns of one file.
pub(crate) struct Layout {
    /// The attributes, in the order in which they were declared; columns after the row's own parts.
    pub(crate) attributes: Vec<Attribute>,
    headers: Vec<String>,
}

impl Layout {
    /// All attributes of interactions or of customers, also those without a value.
    pub(crate) fn of(schema: &Schema, subject: Subject) -> Self {
        let attributes: Vec<Attribute> =
            schema.attributes().iter().filter(|attribute| attribute.subject == subject).cloned().collect();
        let mut taken: BTreeSet<String> = PARTS.iter().map(|(header, ..)| (*header).to_owned()).collect();
        let headers = attributes.iter().map(|attribute| {
            let mut header = attribute.name.clone();
            while !taken.insert(header.to_lowercase()) {
                header.push_str("_2");
            }
            header
        });
        let headers = headers.collect();
        Self { attributes, headers }
    }

    /// The columns that are read of a block for it.
    pub(crate) fn wanted(&self) -> Vec<AttrId> {
        let own = [AttrId::SEQUENCE, AttrId::COMMIT, AttrId::IDENTITY, AttrId::RECORDED];
        self.attributes.iter().map(|attribute| attribute.id).chain(own).collect()
    }

    /// The columns as Arrow knows them.
    pub(crate) fn schema(&self) -> ArrowSchema {
        let parts = PARTS.iter().map(|(header, part, _)| {
            let ty = match part {
                Part::Text => DataType::LargeUtf8,
                Part::Time => instant(),
                Part::Int => DataType::Int64,
            };
            Field::new(*header, ty, false)
        });
        let attributes = (self.headers.iter().zip(&self.attributes))
            .map(|(header, attribute)| Field::new(header, type_of(attribute.ty), true));
        ArrowSchema::new(parts.chain(attributes).collect::<Vec<_>>())
    }

    /// Its section of the map.
    pub(crate) fn map(&self, section: &str) -> String {
        let mut map = format!("\n[{section}]\n");
        // Writing to a String cannot fail.
        let mut line = |header: &str, what: String| {
            let _ = writeln!(map, "{} = {what}", quoted(header));
        };
        for (header, _, becomes) in PARTS {
            line(header, becomes.map_or_else(|| "{ ignore = true }".to_owned(), quoted));
        }
        for (header, attribute) in self.headers.iter().zip(&self.attributes) {
            let role = match attribute.role {
                Some(role) if role.name() != attribute.name => format!(", role = {}", quoted(role.name())),
                _ => String::new(),
            };
            let (name, ty) = (quoted(&attribute.name), quoted(attribute.ty.name()));
            line(header, format!("{{ attribute = {name}, type = {ty}{role} }}"));
        }
        map
    }
}

/// Times are of UTC, in milliseconds.
pub(crate) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// How values of a type are written.
pub(crate) fn type_of(ty: AttrType) -> DataType {
    match ty {
        AttrType::Symbol | AttrType::Id | AttrType::Text => DataType::LargeUtf8,
        AttrType::Int => DataType::Int64,
        AttrType::Float => DataType::Float64,
        AttrType::Bool => DataType::Boolean,
        AttrType::Time => instant(),
    }
}

/// A basic string of TOML, which may stand for a key, too.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use throughline::engine::Role;

    use super::*;

    #[test]
    fn headers_differ_and_the_map_names_every_attribute() {
        let mut schema = Schema::new();
        let mut declare = |name: &str, ty, role| {
            schema.declare(Subject::Interaction, name, ty, role).expect("declares");
        };
        declare("At", AttrType::Time, None);
        declare("at_2", AttrType::Int, None);
        declare("a \"b\"\n\\", AttrType::Id, Some(Role::Topic));
        schema.declare(Subject::Customer, "plan", AttrType::Symbol, None).expect("declares");
        let layout = Layout::of(&schema, Subject::Interaction);
        let headers: Vec<&str> = layout.headers.iter().skip(18).map(String::as_str).collect();
        assert_eq!(headers, ["At_2", "at_2_2", "a \"b\"\n\\"]);
        let map = layout.map("columns");
        for line in [
            "\"at\" = \"ts\"",
            "\"commit\" = { ignore = true }",
            "\"recorded\" = \"recorded\"",
            "\"channel\" = { attribute = \"channel\", type = \"symbol\" }",
            "\"topic\" = { attribute = \"topic\", type = \"symbol\" }",
            "\"At_2\" = { attribute = \"At\", type = \"time\" }",
        ] {
            assert!(map.contains(&format!("\n{line}\n")), "no `{line}` in {map}");
        }
        let read: toml::Table = map.parse().expect("is TOML");
        let odd = &read["columns"]["a \"b\"\n\\"];
        assert_eq!((odd["attribute"].as_str(), odd["role"].as_str()), (Some("a \"b\"\n\\"), Some("topic")));
        let customers = Layout::of(&schema, Subject::Customer);
        assert_eq!(customers.headers, ["plan"]);
        assert_eq!(customers.schema().fields().len(), 6);
    }
}
