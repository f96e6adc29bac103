//! The lines typed before, kept where the desktop conventions say
//! (XDG base directories: `$XDG_STATE_HOME`, else `~/.local/state`).

use std::path::{Path, PathBuf};

use rustyline::DefaultEditor;

use crate::files;

/// The history file; `None` where there is no home.
pub(super) fn path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("throughline").join("history"))
}

/// Saves it; a shell without a history is still a shell.
pub(super) fn save(editor: &mut DefaultEditor, path: &Path) {
    let made = path.parent().is_none_or(|folder| files::create_folder(folder).is_ok());
    if made {
        let _ = editor.save_history(path);
    }
}
