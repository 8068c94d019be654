//! The schemas of frames stand in `docs/schema` as the types say.

use std::fs;
use std::path::PathBuf;

use chat_core::{asyncapi, client_frame_schema, server_frame_schema};

/// Written anew with `SCHEMA_WRITE=1 cargo test -p chat-testkit --test protocol_schema`. What frames are held to them stands in
/// `tests/clients/schema.test.mjs`.
#[test]
fn the_files_are_what_the_types_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/schema");
    let files = [
        ("client-frame.json", client_frame_schema()),
        ("server-frame.json", server_frame_schema()),
        ("asyncapi.json", asyncapi()),
    ];
    for (name, schema) in files {
        let path = folder.join(name);
        let expected = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os("SCHEMA_WRITE").is_some() {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(&path, expected).expect("written");
        } else {
            assert_eq!(fs::read_to_string(&path).unwrap_or_default(), expected, "{name}");
        }
    }
}
