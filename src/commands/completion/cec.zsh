#compdef cec
# Completion of cec in zsh. In ~/.zshrc, after compinit: source <(cec completion zsh)
_cec() {
    local line value
    local -a whole whole_told open open_told
    for line in "${(@f)$("${(Q)words[1]}" __complete zsh -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}"; do
        [[ -n $line ]] || continue
        value=${line%%$'\t'*}
        if [[ $value == */ ]]; then
            open+=("$value") open_told+=("${line/$'\t'/  -- }")
        else
            whole+=("$value") whole_told+=("${line/$'\t'/  -- }")
        fi
    done
    (( $#whole )) && compadd -l -d whole_told -a whole
    (( $#open )) && compadd -S '' -d open_told -a open
    return 0
}
if [[ $funcstack[1] == _cec ]]; then _cec "$@"; else compdef _cec cec; fi
