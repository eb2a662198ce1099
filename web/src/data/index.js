// Where the page has its data from: a file that carries them, or the server.

import { fileData } from './file.js'
import { serverData } from './server.js'

const inlined = document.getElementById('logagg-data')
export const data = inlined ? fileData(inlined) : serverData()
