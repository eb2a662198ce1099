// The template function and the hooks that all views use.

export { html } from 'htm/preact'
export { useEffect, useLayoutEffect, useRef, useState, useMemo } from 'preact/hooks'
