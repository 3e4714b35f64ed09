# Completion of cec in bash. In ~/.bashrc: source <(cec completion bash)
_cec_complete() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(CEC_COMPLETE_BREAKS="$COMP_WORDBREAKS" "${COMP_WORDS[0]}" __complete bash -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null </dev/null)
    # Candidates come quoted, and with a space behind them where the word is whole.
    compopt -o nospace -o nosort 2>/dev/null
}
complete -F _cec_complete cec
