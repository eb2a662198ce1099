// The function that the builder calls for each element of JSX.

export { Fragment, h } from 'preact'
