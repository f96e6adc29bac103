//! Single values of a block, for what is computed a row at a time.

use throughline_engine::{AttrId, Block, Column};

use crate::rows::{Cell, Env, RowType, row_type, stored};
use crate::time::{format_duration_people, format_instant};

/// The cell of an attribute at a row.
pub(crate) fn attr_cell(block: &Block, attr: AttrId, row: usize, env: &Env) -> Cell {
    let Some(column) = block.column(attr) else { return Cell::Null };
    let ty = env.snapshot.schema().get(attr).map_or(RowType::Int, |attribute| row_type(attribute.ty));
    stored(column, attr, &ty, row)
}

/// The cells of an attribute at many rows.
pub(crate) fn attr_cells<'a>(
    block: &'a Block,
    attr: AttrId,
    rows: impl Iterator<Item = usize> + 'a,
    env: &Env,
) -> impl Iterator<Item = Cell> + 'a {
    let column = block.column(attr);
    let ty = env.snapshot.schema().get(attr).map_or(RowType::Int, |attribute| row_type(attribute.ty));
    rows.map(move |row| column.map_or(Cell::Null, |column| stored(column, attr, &ty, row)))
}

/// As [`attr_cells`] of an attribute of symbols, of which there are often millions.
pub(crate) fn symbol_cells<'a>(
    attr: AttrId,
    codes: &'a [u32],
    dictionary: &'a [u32],
    rows: impl Iterator<Item = usize> + 'a,
) -> impl Iterator<Item = Cell> + 'a {
    rows.map(move |row| {
        let code = codes.get(row).copied().unwrap_or(0) as usize;
        dictionary.get(code.wrapping_sub(1)).map_or(Cell::Null, |&symbol| Cell::Symbol(attr, symbol))
    })
}

/// The number at a row; `None` for NULL and for what is no number.
pub(crate) fn number(column: Option<&Column>, row: usize) -> Option<f64> {
    let column = column.filter(|column| !column.is_null(row))?;
    match column {
        Column::Int { values, .. } => values.get(row).map(|&value| value as f64),
        Column::Float { values, .. } => values.get(row).copied(),
        _ => None,
    }
}

/// The truth of a cell: numbers that are not 0 are true, and so are the words
/// true, yes and 1; false, no and 0 are false.
pub(crate) fn truth_of(cell: &Cell, env: &Env) -> Option<bool> {
    match cell {
        Cell::Bool(truth) => Some(*truth),
        Cell::Int(number) => Some(*number != 0),
        Cell::Float(number) => Some(*number != 0.0),
        Cell::Symbol(..) | Cell::Str(_) => cell.with_text(env, |word| {
            let is = |words: [&str; 3]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
            match (is(["true", "yes", "1"]), is(["false", "no", "0"])) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            }
        })?,
        _ => None,
    }
}

/// A cell as sentences say it: texts in quotes, times as RFC 3339.
pub(crate) fn in_words(cell: &Cell, env: &Env) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Bool(truth) => truth.to_string(),
        Cell::Int(number) => number.to_string(),
        Cell::Float(number) => number.to_string(),
        Cell::Time(at) => format_instant(*at),
        Cell::Duration(length) => format_duration_people(*length),
        Cell::Customer(_) | Cell::Identity(_) => {
            cell.as_text(env).map_or_else(String::new, |name| name.to_string())
        }
        Cell::Symbol(..) | Cell::Str(_) => {
            cell.as_text(env).map_or_else(String::new, |text| format!("'{text}'"))
        }
        Cell::List(items) => {
            let items: Vec<String> = items.iter().map(|item| in_words(item, env)).collect();
            format!("[{}]", items.join(", "))
        }
    }
}
