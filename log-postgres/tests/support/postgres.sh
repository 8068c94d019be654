# A PostgreSQL of its own in a folder, for as long as somebody holds this script's standard input open: `sh postgres.sh BIN FOLDER [OPTION...]`.
# It says `started` when the server was started. The line `crash` ends the server as a crash would, and starts it again.
set -eu
bin=$1 folder=$2
shift 2
as=
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL does not run as root.
    as='setpriv --reuid=postgres --regid=postgres --clear-groups'
    chown -R postgres "$folder"
fi
cd "$folder"
$as "$bin/initdb" -D "$folder/data" -U postgres -A trust --no-sync --no-instructions >"$folder/initdb" 2>&1
start() {
    $as "$bin/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= "$@" >>"$folder/log" 2>&1 </dev/null &
    server=$!
    echo started
}
start "$@"
while read -r line; do
    if [ "$line" = crash ]; then
        kill -QUIT $server
        wait $server || true
        start "$@"
    fi
done
kill -INT $server
wait $server || true
cd /
rm -rf "$folder"
